//! Telling a supervisor, such as systemd with `Type=notify`, how the server is: a word to the socket in `NOTIFY_SOCKET`.

use std::{
    env, io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

/// Says it if somebody asked to be told. A supervisor that does not hear it is no reason to end.
pub fn tell(word: &str) {
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let told =
        address(socket.as_bytes()).and_then(|address| UnixDatagram::unbound()?.send_to_addr(word.as_bytes(), &address));
    if let Err(error) = told {
        tracing::warn!(%error, "the supervisor at NOTIFY_SOCKET could not be told {word}");
    }
}

/// A path, or with @ a name of Linux's own.
fn address(socket: &[u8]) -> io::Result<SocketAddr> {
    match socket {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path)),
    }
}

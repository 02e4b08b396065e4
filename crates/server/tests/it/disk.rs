//! File systems of a test's own, where the tests may mount one.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// One in memory, of a few mebibytes, gone when this is dropped.
pub(crate) struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// None where mounting is not allowed, which is said.
    pub(crate) fn mount(folder: &'a Path) -> Option<Self> {
        let is_mounted = mount(&["-t", "tmpfs", "-o", "size=6m", "tmpfs"], folder);
        if !is_mounted {
            eprintln!("skipped: a file system can be mounted by root only");
        }
        is_mounted.then_some(Self(folder))
    }

    /// As `mount -o remount,OPTION` does.
    pub(crate) fn remount(&self, option: &str) {
        assert!(mount(&["-o", &format!("remount,{option}")], self.0), "{option}");
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        unmount(self.0);
    }
}

/// One that becomes read-only when something is wrong with it, as disks of servers do: ext4 in a file.
pub(crate) struct FailingDisk {
    image: PathBuf,
    folder: PathBuf,
}

impl FailingDisk {
    /// None where that cannot be had, which is said. `beside` is a folder in which it puts its file and its mount point.
    pub(crate) fn mount(beside: &Path) -> Option<Self> {
        let (image, folder) = (beside.join("disk"), beside.join("mounted"));
        fs::create_dir(&folder).expect("writable");
        fs::File::create(&image).and_then(|file| file.set_len(64 * 1024 * 1024)).expect("writable");
        let disk = Self { image, folder };
        let made = Command::new("mkfs.ext4").args(["-q", "-F"]).arg(&disk.image).output();
        let is_there = made.is_ok_and(|output| output.status.success()) && disk.appear() && disk.trigger().is_some();
        if !is_there {
            eprintln!("skipped: root can mount ext4 in a file where there are loop devices and e2fsprogs");
        }
        is_there.then_some(disk)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// An error is found in it: from now on nothing can be written.
    pub(crate) fn fail(&self) {
        fs::write(self.trigger().expect("it was there"), "1").expect("the kernel takes it");
    }

    /// Whoever had it open is gone; it is repaired, and mounted again.
    pub(crate) fn repair(&self) {
        unmount(&self.folder);
        let checked = Command::new("e2fsck").args(["-f", "-y"]).arg(&self.image).output().expect("it is there");
        assert!(checked.status.code().is_some_and(|code| code <= 1), "{checked:?}");
        assert!(self.appear(), "it is mounted again");
    }

    fn appear(&self) -> bool {
        let image = self.image.to_str().expect("text");
        mount(&["-t", "ext4", "-o", "loop,errors=remount-ro", image], &self.folder)
    }

    /// The kernel's switch for that.
    fn trigger(&self) -> Option<PathBuf> {
        let mounts = fs::read_to_string("/proc/mounts").ok()?;
        let mut mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let device = mounts.find(|mount| Path::new(mount[1]) == self.folder)?[0].rsplit('/').next()?.to_owned();
        Some(Path::new("/sys/fs/ext4").join(device).join("trigger_fs_error")).filter(|path| path.exists())
    }
}

impl Drop for FailingDisk {
    fn drop(&mut self) {
        unmount(&self.folder);
    }
}

fn mount(arguments: &[&str], folder: &Path) -> bool {
    Command::new("mount").args(arguments).arg(folder).output().is_ok_and(|output| output.status.success())
}

/// What is not mounted any more needs nothing.
fn unmount(folder: &Path) {
    let _ = Command::new("umount").arg("-l").arg(folder).output();
}

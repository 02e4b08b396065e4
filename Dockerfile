# A small image of the server, which does not run as root. docs/operations.md says how it is run.

FROM rust:1.95-slim-trixie AS build
# aws-lc and the bundled SQLite are C.
RUN apt-get update && apt-get install --yes --no-install-recommends cmake g++ make && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
# What was built before is built again only where it changed.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/build/target \
    cargo build --release --locked --package unsaid --bin unsaid \
    && install -D target/release/unsaid /out/unsaid

FROM debian:trixie-slim
# The roots that the certificates of app backends are checked against.
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/unsaid
COPY --from=build /out/unsaid /usr/local/bin/unsaid
USER 10001:10001
# Clients and REST come in from outside of the container; the operator API, with /metrics, stays inside unless it is given
# an address and [tls]: `docker exec CONTAINER unsaid app list`.
ENV UNSAID_LISTEN=0.0.0.0:8080 \
    UNSAID_OPERATOR__LISTEN=127.0.0.1:8081 \
    UNSAID_DATA_DIR=/var/lib/unsaid \
    UNSAID_API_URL=http://127.0.0.1:8081
VOLUME /var/lib/unsaid
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["unsaid", "ready"]
ENTRYPOINT ["unsaid"]
CMD ["serve"]

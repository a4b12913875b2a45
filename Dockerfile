# Both programs in one image: `mallard` to run a controller from, and an image for `container:` hosts whose agents need
# not be copied in. Build: `docker build -t mallard .`; use: see docs/containers.md.
FROM rust:1-bookworm AS build
WORKDIR /mallard
COPY . .
RUN cargo build --release && strip target/release/mallard target/release/mallard-agent

FROM debian:12-slim
RUN apt-get update -qq \
 && apt-get install -qq -y --no-install-recommends ca-certificates openssh-client \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 1000 mallard
COPY --from=build /mallard/target/release/mallard /mallard/target/release/mallard-agent /usr/local/bin/
COPY LICENSE /usr/share/doc/mallard/
COPY scenarios /usr/share/mallard/scenarios
USER mallard
WORKDIR /home/mallard
CMD ["mallard", "--help"]

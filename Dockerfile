# One image for every role: `quickserve` and the libraries it loads, nothing else. Two ways to build it:
#
#   docker build -t quickserve .                                    compiles here, with the profile `dist`
#   docker build -t quickserve --build-arg BINARY=prebuilt .        takes target/prebuilt/quickserve as it is
#
# BuildKit builds only the stage that is asked for; the builder of old (DOCKER_BUILDKIT=0) runs all of them, and is not
# supported.
ARG BINARY=compiled

FROM rust:1.95-bookworm AS compiled
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/source/target \
    cargo build --locked --profile dist -p quickserve && strip -o /quickserve target/dist/quickserve

# A binary that was built before, for a Debian 12 or newer of this architecture.
FROM scratch AS prebuilt
COPY target/prebuilt/quickserve /quickserve

FROM ${BINARY} AS binary

# The dynamic loader, the libraries, the certificates of public authorities, and a list of what is in the image.
FROM debian:bookworm-slim AS libraries
RUN dpkg -s ca-certificates >/dev/null 2>&1 \
 || { apt-get update -qq && apt-get install -y -qq --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*; }
COPY --from=binary /quickserve /image/quickserve
COPY Cargo.toml Cargo.lock deploy/image/sbom /source/
RUN set -e; cd /image \
 && for library in $(ldd quickserve | grep -oE '/[^ ]+'); do install -D "$(readlink -f "$library")" ".$library"; done \
 && install -D -m 644 /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/ca-certificates.crt \
 && echo 'quickserve:x:65532:65532::/data:/sbin/nologin' >etc/passwd && echo 'quickserve:x:65532:' >etc/group \
 && mkdir -p usr/share/sbom && bash /source/sbom /source/Cargo.lock /source/Cargo.toml . >usr/share/sbom/quickserve.cdx.json \
 && install -d -o 65532 -g 65532 -m 700 data && install -d -o 65532 -g 65532 -m 700 data/keys data/keys/access data/keys/mesh

FROM scratch
ARG VERSION=0.1.0 REVISION=unknown
LABEL org.opencontainers.image.title="QuickServe" \
      org.opencontainers.image.description="The backend of a marketplace for services at a person's place" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=libraries /image /
ENV QS_DATA_DIR=/data SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
# A new volume takes the owner of this folder, so that the program can write to it without rights of root.
VOLUME /data
WORKDIR /
USER 65532:65532
# The edge; gRPC of a service; metrics and health.
EXPOSE 8080 7100 9100
ENTRYPOINT ["/quickserve"]
CMD ["--help"]

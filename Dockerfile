# All images of Waymark, built from the sources alone:
#   docker build --build-arg SERVICE=altmark .     one service, as compose/ does
#   docker build --target nats .                   the broker        --target demo: the hosts and the router of the demo
ARG NODE_IMAGE=node:24-bookworm-slim

# The sources. Later stages copy them from here: then services that are built at the same time share every step.
FROM ${NODE_IMAGE} AS sources
WORKDIR /waymark
COPY . .

# What npm needs to know, and nothing that changes more often.
FROM sources AS manifests
RUN find . -type f ! -name package.json ! -name package-lock.json ! -name .npmrc -delete \
 && find . -type d -empty -delete

# Native library, packet programs and TypeScript of all services, once for all images.
FROM ${NODE_IMAGE} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ clang llvm libbpf-dev libelf-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /waymark
COPY --from=manifests /waymark .
RUN npm ci --include=dev --include=optional --ignore-scripts
COPY --from=sources /waymark .
RUN node libs/bpf-runtime/build.mjs && node_modules/.bin/tsc -b services/*

# One service with the packages that it needs, and none of those that build or test it.
FROM build AS service-files
ARG SERVICE
WORKDIR /app
COPY --from=manifests /waymark .
RUN [ -f "services/$SERVICE/package.json" ] || { echo "there is no service \"$SERVICE\": --build-arg SERVICE=altmark" >&2; exit 2; }
RUN npm ci --workspace "services/$SERVICE" --omit=dev --ignore-scripts \
 && rm -rf node_modules/@waymark/testkit node_modules/@types \
 && /waymark/scripts/image/pack.sh /waymark /app

# What runs: the base image's system and its Node, without npm, headers and manuals, as one layer that all images share.
FROM ${NODE_IMAGE} AS system
RUN apt-get update \
 && apt-get install -y --no-install-recommends libbpf1 \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/doc/* /usr/share/man/* /usr/share/locale/* \
      /usr/local/include /usr/local/share /usr/local/lib/node_modules /opt/* /root/.npm \
 && find /usr/local/bin -mindepth 1 ! -name node -delete

FROM scratch AS runtime
COPY --from=system / /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin NODE_ENV=production
COPY scripts/image/healthcheck.sh /usr/local/bin/waymark-healthcheck

FROM runtime AS nats
RUN apt-get update \
 && apt-get install -y --no-install-recommends nats-server \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/doc/* \
 && install -d -o nats -g nats /var/lib/nats
COPY compose/nats.conf /etc/nats.conf
USER nats
EXPOSE 4222
CMD ["nats-server", "--config", "/etc/nats.conf"]

FROM runtime AS demo
RUN apt-get update \
 && apt-get install -y --no-install-recommends iproute2 nftables \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/doc/*
COPY compose/demo/ /demo/

FROM runtime AS service
ARG SERVICE
ENV SERVICE=${SERVICE} WAYMARK_HEALTH_FILE=/run/waymark/health
COPY --from=service-files /app /app
RUN ln -s "/app/services/$SERVICE/bin/$SERVICE.js" "/usr/local/bin/$SERVICE" && mkdir -p /run/waymark /var/lib/waymark
HEALTHCHECK --interval=5s --timeout=5s --retries=2 --start-period=15s CMD ["waymark-healthcheck"]
CMD ["sh", "-c", "exec \"$SERVICE\" --help"]

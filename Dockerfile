# One image for operator and sync pods, without a shell. Where the defaults cannot be pulled: BUILD_IMAGE may be any image
# with Node 24, npm and a shell, BASE_IMAGE any with Node 24, be it on the usual path or in /nodejs/bin.
ARG BUILD_IMAGE=node:24-trixie-slim
ARG BASE_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY LICENSE ./
COPY scripts ./scripts
COPY src ./src
# The same sources make the same layer: this is when its files were last changed.
ARG SOURCE_DATE_EPOCH=0
RUN node scripts/build.ts /image/app

# Compiled code, so that a sync pod sends its first request sooner. It holds for this very Node, user and processor, and is
# passed over elsewhere. V8 never writes it twice alike: hence a layer of its own.
FROM ${BASE_IMAGE} AS compile
COPY --from=build /image/ /
COPY scripts/compile.ts /scripts/
USER 65532:65532
ENV PATH=/nodejs/bin:/usr/local/bin:/usr/bin:/bin
RUN ["node", "/scripts/compile.ts", "/app/main.js", "/tmp/cache"]

FROM ${BASE_IMAGE}
COPY --from=build /image/ /
COPY --from=compile --chown=0:0 /tmp/cache /app/cache
ENV PATH=/nodejs/bin:/usr/local/bin:/usr/bin:/bin \
    NODE_COMPILE_CACHE=/app/cache
USER 65532:65532
WORKDIR /app
ENTRYPOINT ["node", "/app/main.js"]
ARG VERSION=0.1.0
ARG REVISION
ARG SOURCE
LABEL org.opencontainers.image.title="zendesk-connector" \
      org.opencontainers.image.description="Kubernetes operator that connects Zendesk accounts to an organisation's security tooling" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}"

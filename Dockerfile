# One image for operator and sync pods. BASE_IMAGE is any image with Node 24 and npm.
ARG BASE_IMAGE=node:24-bookworm-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY scripts ./scripts
COPY src ./src
RUN node scripts/build.ts

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="zendesk-connector" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=build /app/dist ./dist
RUN mkdir cache && chown 65532:65532 cache
USER 65532:65532
# Compiled code, so that a sync pod sends its first request sooner. Read-only is enough for it, and where user or
# processor are others it is passed over. Each command is started once: exit code 64, because it lacks what it needs.
ENV NODE_COMPILE_CACHE=/app/cache
RUN for command in "sync" "operator --image none" "test -f /nowhere"; do \
      node dist/main.js $command; [ $? -eq 64 ] || exit 1; \
    done
ENTRYPOINT ["node", "/app/dist/main.js"]

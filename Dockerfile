# Two images from one file, each with nothing but Node, the bundle and its list of parts:
#   docker build --target operator --tag agent-worker-pool/operator .
#   docker build --target worker --tag agent-worker-pool/worker .
# BUILD_IMAGE needs node, npm and sh. RUNTIME_IMAGE needs a Node 24 as its entrypoint and nothing else, not even a shell.
# Both are pinned: tag for the reader, digest for the builder. How they were chosen and are updated: CONTRIBUTING.md.
ARG BUILD_IMAGE=node:24-bookworm-slim@sha256:0e0ff40c39bc087845bfb27465a0df4ea419520094bc35842ff83dd8cbe6f9b6
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs24-debian12:nonroot@sha256:14d42e2511532589a7c7e01a753667a74fcc96266e137e8125006b87b0c32d0a

FROM ${BUILD_IMAGE} AS dependencies
WORKDIR /src
COPY package.json package-lock.json ./
# Exactly what the lockfile says, each part checked against its hash. No script of a package runs.
RUN npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

FROM dependencies AS build
COPY operator operator
COPY worker worker
COPY scripts/bundle.ts scripts/image-files.ts scripts/undici-connections.cjs scripts/
RUN node scripts/image-files.ts operator /out/operator && node scripts/image-files.ts worker /out/worker

FROM ${RUNTIME_IMAGE} AS base
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
WORKDIR /app
USER 65532:65532

FROM base AS operator
LABEL org.opencontainers.image.title="agent-worker-pool operator" \
      org.opencontainers.image.description="Keeps BullMQ workers sized to their queue and never kills a running job."
COPY --from=build /out/operator /app/
EXPOSE 8080
CMD ["/app/operator.mjs"]

FROM base AS worker
LABEL org.opencontainers.image.title="agent-worker-pool worker" \
      org.opencontainers.image.description="Runs BullMQ jobs under the operator agent-worker-pool."
COPY --from=build /out/worker /app/
EXPOSE 3001
CMD ["/app/worker.mjs"]

# One image for every role; the command says which: `node gateway/main.ts`, `node messenger/main.ts`, … (see docker-compose.yml).
# Without one it is everything in one process, with its data in /data.
ARG NODE_IMAGE=node:24.21.0-slim

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM ${NODE_IMAGE}
WORKDIR /app
ENV NODE_ENV=production \
    DATA_DIR=/data \
    HOST=0.0.0.0 \
    CHATTERBOX_AUTH_HOST=0.0.0.0 \
    CHATTERBOX_USERINFO_HOST=0.0.0.0 \
    CHATTERBOX_MESSENGER_HOST=0.0.0.0 \
    CHATTERBOX_ADMIN_HOST=0.0.0.0 \
    CHATTERBOX_ADMIN_PORT=9100
COPY --from=dependencies /app/node_modules ./node_modules
# What .dockerignore leaves: the sources, which Node runs as they are, owned by root.
COPY . .
RUN mkdir -m 0700 /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8080
# Whether the process answers: whoever restarts what is unhealthy must not do so because a database is away.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9100/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "scripts/start.ts"]

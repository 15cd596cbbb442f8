# Another registry's copy, or a digest: --build-arg NODE_IMAGE=…
ARG NODE_IMAGE=node:24-slim

FROM ${NODE_IMAGE} AS app
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Optional dependencies are Node itself, for machines that lack it: the base image has it.
RUN npm ci --ignore-scripts --omit=dev --omit=optional
COPY LICENSE ./
COPY bin bin
COPY assets assets
COPY fixtures/calls fixtures/calls
COPY fixtures/voices fixtures/voices
COPY bots bots
COPY deploy/healthcheck.ts deploy/
COPY src src
# Files come with the checkout's modes, and a strict umask would have made them unreadable for the image's user.
RUN chmod -R a+rX .

FROM ${NODE_IMAGE}
ENV NODE_ENV=production \
    BOTS_DIR=/app/bots \
    DATA_DIR=/data
WORKDIR /app
# A new volume takes over the folder's owner; without this the first start could not write to it.
RUN install -d -o 1000 -g 1000 -m 700 /data \
    && ln -s /app/bin/offhook.js /usr/local/bin/offhook
COPY --from=app /app /app

# The base image's user "node", as numbers: an orchestrator that insists on non-root cannot look up a name.
USER 1000:1000
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["node", "deploy/healthcheck.ts"]
# Not npm: it would stand between SIGTERM and the gateway.
ENTRYPOINT ["node", "bin/offhook.js"]
CMD ["serve"]

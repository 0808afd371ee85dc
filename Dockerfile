# The server as an image: a static binary with the console in it, on a base without a shell. It holds no MongoDB: set
# MONGODB_URI. (mongod is under the SSPL; it is never redistributed. The managed MongoDB fetches it on the user's machine.)
#
#   docker build -t backendbook . && docker compose up

FROM node:22-bookworm-slim AS console
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY schema /src/schema
COPY web ./
RUN npm run build

FROM golang:1.26-bookworm AS server
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=console /src/web/dist web/dist
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /out/backendbook .

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=server /out/backendbook /usr/local/bin/backendbook
# The tables of the demo, for `serve --demo`.
COPY --from=console /src/web/node_modules/vega-datasets/data /usr/share/backendbook/demo
ENV BACKENDBOOK_LOG_FORMAT=json \
    BACKENDBOOK_MANAGED_DOWNLOAD=false \
    BACKENDBOOK_DEMO_DATA_DIR=/usr/share/backendbook/demo
USER nonroot
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["/usr/local/bin/backendbook", "doctor", "--ready"]
ENTRYPOINT ["/usr/local/bin/backendbook"]
CMD ["serve"]

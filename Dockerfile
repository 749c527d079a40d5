# The operator and the Helm CLI, two static binaries, with the charts that `make get-manifests` has fetched.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# crt-static needs --target, or it would be applied to procedural macros as well.
RUN target="$(rustc -vV | sed -n 's/^host: //p')" \
 && RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --locked -p llm-operator --bin llm-operator --target "$target" \
 && cp "target/$target/release/llm-operator" /llm-operator

FROM golang:1.26-bookworm AS helm
WORKDIR /src
COPY crates/testkit/control-plane/helm .
RUN version="$(go list -m -f '{{.Version}}' helm.sh/helm/v4)" \
 && CGO_ENABLED=0 go build -trimpath -mod=readonly -o /helm \
      -ldflags "-s -w -X helm.sh/helm/v4/internal/version.version=$version" helm.sh/helm/v4/cmd/helm

FROM scratch
COPY --from=build /llm-operator /llm-operator
COPY --from=helm /helm /helm
# By these the servers of charts are known.
COPY --from=helm /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# Nothing but a README unless charts were fetched; then no network is needed for them.
COPY opt/manifests/llmd /opt/manifests/llmd
ENV HELM=/helm CHARTS_DIR=/opt/manifests/llmd/charts
# As config/manager/manager.yaml says it: nobody in particular, never root.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/llm-operator"]
CMD ["run"]

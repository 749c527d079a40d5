# The operator and the Helm CLI, two static binaries, with the charts that `make get-manifests` has fetched, and the licences of all
# that is in it. `hack/image-tree.sh` makes the same file tree without Docker.
#
# Tags name exact versions. For a build that is the same to the byte, replace them by digests of your registry (docs/versions.md).
ARG RUST_IMAGE=rust:1.95.0-bookworm
ARG GO_IMAGE=golang:1.26.8-bookworm

FROM ${GO_IMAGE} AS helm
WORKDIR /src
COPY crates/testkit/control-plane/helm crates/testkit/control-plane/helm
COPY hack/image-helm.sh hack/
RUN hack/image-helm.sh /helm

FROM ${RUST_IMAGE} AS build
WORKDIR /src
COPY . .
RUN hack/image-operator.sh /llm-operator

FROM scratch
LABEL org.opencontainers.image.title="llm-operator" \
      org.opencontainers.image.description="Serves language models from custom resources" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /llm-operator /llm-operator
COPY --from=helm /helm /helm
# By these the servers of charts are known.
COPY --from=helm /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# `make sbom` writes them; `make docker-build` does that first.
COPY LICENSE target/sbom /licenses/
# Nothing but a README unless charts were fetched; then no network is needed for them.
COPY opt/manifests/llmd /opt/manifests/llmd
ENV HELM=/helm CHARTS_DIR=/opt/manifests/llmd/charts
# As config/manager/manager.yaml says it: nobody in particular, never root. Nothing here is written to: the root file system may be
# read-only, and Helm's files go to the volume at /var/lib/llm-operator.
USER 65532:65532
# Health; external metrics and the operator's own.
EXPOSE 8080 6443
ENTRYPOINT ["/llm-operator"]
CMD ["run"]

# The operator: one static binary and nothing else.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# crt-static needs --target, or it would be applied to procedural macros as well.
RUN target="$(rustc -vV | sed -n 's/^host: //p')" \
 && RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --locked -p llm-operator --bin llm-operator --target "$target" \
 && cp "target/$target/release/llm-operator" /llm-operator

FROM scratch
COPY --from=build /llm-operator /llm-operator
# As config/manager/manager.yaml says it: nobody in particular, never root.
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/llm-operator"]
CMD ["run"]

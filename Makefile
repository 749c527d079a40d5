# The front door. `make help` lists what it does.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CARGO ?= cargo
KUBECTL ?= kubectl
DOCKER ?= docker
IMG ?= llm-operator:v0.1.0
LOG_FILE ?= /tmp/operator.log

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## The main job on a local cluster: YAML files in, a served model on every engine out (ONCE=1: exit with a verdict)
	@$(CARGO) build --bins -p llm-operator -p testkit -p engine-sim
	@./target/debug/demo $(if $(ONCE),--once)

.PHONY: build
build: ## Build every binary (debug)
	$(CARGO) build --workspace --bins

.PHONY: run
run: ## Run the operator on this machine, against the cluster of KUBECONFIG; its log also goes to /tmp/operator.log
	@$(CARGO) build -p llm-operator
	@exec ./target/debug/llm-operator run --leader-elect=false --log-file '$(LOG_FILE)' $(RUN_ARGS)

.PHONY: test
test: build ## Every test, unit and on the real control plane
	# Tests mostly wait, for Pods and probes: TEST_JOBS programs at a time with two tests each keep two cores busy.
	# What the operator asks of API servers meanwhile is recorded, and compared with its roles at the end.
	@rm -rf target/audit
	AUDIT_DIR=$$PWD/target/audit RUST_TEST_THREADS=$${RUST_TEST_THREADS:-2} ./target/debug/run-tests
	$(CARGO) test --workspace --doc --quiet
	@$(MAKE) --no-print-directory promises
	@$(MAKE) --no-print-directory rbac-report

.PHONY: rbac-report
rbac-report: ## What the last `make test` asked of API servers, against config/rbac (PARTIAL=1 when only some tests ran: it tells and does not fail)
	@$(CARGO) run --quiet -p testkit --bin rbac-report -- $(if $(PARTIAL),--partial)

# What Kubernetes 1.30 lacks. Autoscalers with a tolerance, since 1.33: before, replicas are set through /scale. Volumes from images. Fields that are newer, in specs made at
# random; there a number beyond 32 bits is stored too, and told in the status. That the documentation names the version of `make test` is true of that one.
OLDEST_SKIPPED = deletion_takes_everything_along a_model_deployment_has_pods_with_stable_names every_child_is_brought_back \
  dynamo::the_documents_example what_is_no_longer_asked_for_goes others::an_edit_of_its_tolerance_is_put_back others::a_persons_autoscaler_wins \
  promises::zero_replicas_stop a_model_that_nobody_uses_goes_and_comes_back keeps_its_promise_under_load a_deployment_gets_the_number_that_was_decided \
  another_adapter_is_left_alone an_autoscaler_that_is_stored_without_its_tolerance \
  right_details_are_accepted accepted_specs_become_accepted_objects accepted_prem_specs_become_accepted_objects odd_specs_come_to_rest \
  the_documentation_names_the_version_that_is_tested sources::an_image_is_mounted

.PHONY: test-oldest
test-oldest: build ## The tests on the oldest Kubernetes that is supported, 1.30 (docs/versions.md)
	TESTKIT_KUBERNETES=1.30 RUST_TEST_THREADS=$${RUST_TEST_THREADS:-2} ./target/debug/run-tests $(addprefix --skip ,$(OLDEST_SKIPPED))

.PHONY: lint
lint: ## Formatting, clippy, documentation
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet

.PHONY: manifests
manifests: ## Write the generated files: config/crd, config/crd-optional, their copies, the chart's, docs/conditions.md, docs/fields
	@$(CARGO) build -p llm-operator
	@./target/debug/llm-operator crds --output-dir config/crd
	@./target/debug/llm-operator crds --optional --output-dir config/crd-optional
	@cp config/crd/infra.example.com_nvidiagpullms.yaml manifest-controller/nvidia-gpu-llm-crd.yaml
	@cp config/crd/ai.example.com_llmmodels.yaml examples/crd-operator/01-what-is-crd.yaml
	@./target/debug/llm-operator conditions-doc > docs/conditions.md
	@./target/debug/llm-operator fields-doc --output-dir docs/fields
	@hack/chart-files.sh

.PHONY: release-fixtures
release-fixtures: ## Once per release: keep its definitions, and the objects that it makes of every example, in releases/
	@$(CARGO) build -p llm-operator
	@hack/release-fixtures.sh

.PHONY: check-manifests
check-manifests: manifests ## Fail when a generated file is stale
	@git diff --exit-code --stat -- config/crd config/crd-optional manifest-controller examples/crd-operator docs/conditions.md docs/fields helm-charts && \
	  test -z "$$(git ls-files --others --exclude-standard -- config/crd config/crd-optional docs/fields helm-charts)" || \
	  { echo "generated files are stale: run 'make manifests' and commit the result" >&2; exit 1; }

.PHONY: docs
docs: ## The documentation as a site in target/site; fails on a link that leads nowhere
	@$(CARGO) run --quiet -p docs-site -- target/site

.PHONY: two-commands
two-commands: ## The README's two commands in a fresh clone with empty caches (two hours on two cores, 20 GiB)
	@hack/two-commands.sh

.PHONY: bench
bench: ## Time, writes, CPU and memory for 10, 100 and 1,000 resources beside a minimal client
	@$(CARGO) build --release -p llm-operator -p testkit --bin llm-operator --bin bench
	@./target/release/bench $(BENCH_ARGS)

.PHONY: chaos
chaos: ## A day of faults: 300 resources of all kinds, 1,000 faults, everything comes right by itself (ARGS='--seed 7 ...')
	@$(CARGO) build --bins -p llm-operator -p testkit -p engine-sim
	@./target/debug/chaos $(ARGS)

.PHONY: promises
promises: ## The table of promises and the tests that prove each
	@$(CARGO) run --quiet -p testkit --bin promises

.PHONY: cluster
cluster: ## Start a local cluster with simulated GPU nodes and print how to use it
	@$(CARGO) build --bins -p testkit -p engine-sim
	@./target/debug/local-cluster up

.PHONY: cluster-down
cluster-down: ## Stop the local cluster
	@$(CARGO) build --bins -p testkit -p engine-sim
	@./target/debug/local-cluster down

.PHONY: e2e
e2e: ## The same on the real cluster that KUBECONFIG names, with the image IMG (see docs/contributing.md)
	@IMG='$(IMG)' KUBECTL='$(KUBECTL)' ./hack/e2e.sh

.PHONY: kind-setup
kind-setup: ## A kind cluster with Traefik on port 8080 and the image IMG in it (needs docker, kind, helm)
	@IMG='$(IMG)' KUBECTL='$(KUBECTL)' DOCKER='$(DOCKER)' ./hack/kind-setup.sh

.PHONY: get-manifests
get-manifests: ## Fetch llm-d's charts into opt/manifests/llmd and render them for Kustomize (ARGS='--infra 1.3.3 ...'; needs helm)
	@$(CARGO) build -p llm-operator
	@LLM_OPERATOR=$${LLM_OPERATOR:-$$PWD/target/debug/llm-operator} ./get_all_manifests.sh $(ARGS)

.PHONY: image
image: docker-build ## The same as docker-build

.PHONY: image-build
image-build: docker-build ## The same as docker-build

.PHONY: docker-build
docker-build: sbom ## Build the operator's image as IMG=registry/name:tag, with Helm and with what get-manifests has fetched
	$(DOCKER) build -t $(IMG) .

.PHONY: image-tree
image-tree: ## The image's file tree in target/image, without Docker: static programs, their size, and whether they start in it
	@hack/image-tree.sh target/image

.PHONY: sbom
sbom: ## What the image is made of, with licences: target/sbom (CycloneDX, a list, the texts); fails on a licence not allowed
	@$(CARGO) run --quiet -p testkit --bin sbom -- --output-dir target/sbom

.PHONY: docker-push
docker-push: ## Push it
	$(DOCKER) push $(IMG)

.PHONY: install
install: ## Install the custom resource definitions into the cluster of KUBECONFIG
	$(KUBECTL) apply -f config/crd

.PHONY: install-optional
install-optional: ## Install DynamoGraphDeployment's definition too, unless others have one of that name
	KUBECTL="$(KUBECTL)" hack/install-optional-crds.sh

.PHONY: uninstall
uninstall: ## Remove the custom resource definitions, and with them every resource
	KUBECTL="$(KUBECTL)" hack/delete-crds.sh

.PHONY: deploy
deploy: ## Install the operator with IMG=registry/name:tag, and the definitions
	$(KUBECTL) kustomize config/default | sed 's|image: llm-operator:v0.1.0$$|image: $(IMG)|' | $(KUBECTL) apply -f -

.PHONY: undeploy
undeploy: ## Remove the operator; the resources and their Pods stay (docs/install.md has more)
	@# The image of the Deployment unless a person names another.
	@IMG='$(if $(filter file,$(origin IMG)),,$(IMG))' KUBECTL='$(KUBECTL)' SKIP_RELEASE='$(SKIP_RELEASE)' hack/undeploy.sh

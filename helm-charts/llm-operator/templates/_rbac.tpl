{{/*
The objects of a file of rbac/ (which are those of config/rbac), in this release's namespace, for its ServiceAccount, without the rules
of families that are switched off. In: root, file; namespace: where objects go that have a namespace and do not name it.
*/}}
{{- define "llm-operator.rbac" -}}
{{- $root := .root }}
{{- $namespace := .namespace | default "" }}
{{- range $document := splitList "\n---\n" (.root.Files.Get (printf "rbac/%s" .file)) }}
{{- $object := fromYaml $document }}
{{- if $object.kind }}
{{- if eq ($object.metadata.namespace | default "") "llm-system" }}
{{- $_ := set $object.metadata "namespace" $root.Release.Namespace }}
{{- else if $namespace }}
{{- $_ := set $object.metadata "namespace" $namespace }}
{{- end }}
{{- $labels := merge $object.metadata.labels (fromYaml (include "llm-operator.releaseLabels" $root)) }}
{{- range $subject := $object.subjects }}
{{- $_ := set $subject "name" $root.Values.serviceAccount.name }}
{{- $_ := set $subject "namespace" $root.Release.Namespace }}
{{- end }}
{{- if $object.rules }}
{{- $rules := list }}
{{- range $rule := $object.rules }}
{{- $family := include "llm-operator.familyOf" $rule }}
{{- if or (not $family) (has $family $root.Values.families) }}
{{- $rules = append $rules $rule }}
{{- end }}
{{- end }}
{{- $_ := set $object "rules" $rules }}
{{- end }}
---
{{ toYaml $object }}
{{ end }}
{{- end }}
{{- end }}

{{/* The family that a rule is for alone; nothing when several need it. */}}
{{- define "llm-operator.familyOf" -}}
{{- $group := first (.apiGroups | default (list "")) }}
{{- $resource := first (.resources | default (list "")) }}
{{- $families := dict "llm.example.com" "llm" "premlabs.io" "prem" "infra.example.com" "infra" "ai.example.com" "ai" "nvidia.com" "ai" }}
{{- if hasKey $families $group }}{{ get $families $group }}
{{- else if hasSuffix "opendatahub.io" $group }}llmd
{{- else if hasSuffix "opendatahub.io" (first (.resourceNames | default (list ""))) }}llmd
{{- else if and (eq $resource "nodes") (has "patch" .verbs) }}prem
{{- end }}
{{- end }}

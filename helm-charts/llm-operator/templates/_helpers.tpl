{{/* Labels of every object of the chart. Names are fixed: the operator knows some of them, and documents all. */}}
{{- define "llm-operator.labels" -}}
app: llm-operator
app.kubernetes.io/part-of: llm-operator
{{ include "llm-operator.releaseLabels" . }}
{{- end }}

{{/* Labels that say which release an object belongs to. */}}
{{- define "llm-operator.releaseLabels" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "llm-operator.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}
{{- else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{/* "yes" when the whole cluster is watched. */}}
{{- define "llm-operator.wholeCluster" -}}
{{- if not .Values.watchNamespaces }}yes{{ end }}
{{- end }}

{{/* "yes" when the API of external metrics is served: it belongs to the whole cluster. */}}
{{- define "llm-operator.externalMetrics" -}}
{{- if and .Values.externalMetrics.enabled (include "llm-operator.wholeCluster" .) }}yes{{ end }}
{{- end }}

{{/* "yes" when the operator writes definitions. */}}
{{- define "llm-operator.writesDefinitions" -}}
{{- if or .Values.installCrds .Values.optionalCrds }}yes{{ end }}
{{- end }}

{{/* What no schema can say. */}}
{{- define "llm-operator.check" -}}
{{- if and .Values.watchNamespaces (eq (join "," .Values.families) "llmd") }}
{{- fail "families: llmd belongs to the whole cluster; leave watchNamespaces empty, or serve other families" }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled .Values.watchNamespaces }}
{{- fail "serviceMonitor.enabled: who may read metrics is asked of the whole cluster; leave watchNamespaces empty" }}
{{- end }}
{{- end }}

{{/* Labels and annotations of what exists only while the release is being removed. In: root, weight. */}}
{{- define "llm-operator.hook" -}}
labels:
  app.kubernetes.io/part-of: llm-operator
  {{- include "llm-operator.releaseLabels" .root | nindent 2 }}
annotations:
  helm.sh/hook: pre-delete
  helm.sh/hook-weight: {{ .weight | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{- define "modelservice.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 55 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 55 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 55 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "modelservice.pool" -}}
{{- default (printf "%s-pool" (include "modelservice.fullname" .)) .Values.routing.inferencePool.name -}}
{{- end -}}

{{/* Labels of Pods: (dict "role" <role> "context" $). */}}
{{- define "modelservice.podLabels" -}}
llm-d.ai/inferenceServing: "true"
llm-d.ai/model: {{ include "modelservice.fullname" .context }}
llm-d.ai/role: {{ .role }}
{{- end -}}

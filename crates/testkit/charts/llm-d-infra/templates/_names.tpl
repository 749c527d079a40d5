{{- define "infra.gateway" -}}
{{- default (printf "%s-inference-gateway" .Release.Name) .Values.gateway.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

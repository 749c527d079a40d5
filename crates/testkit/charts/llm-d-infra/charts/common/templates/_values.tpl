{{/* A value that may hold templates itself: (dict "value" <any> "context" $). */}}
{{- define "common.tplvalues.render" -}}
{{- $text := .value -}}
{{- if not (kindIs "string" $text) }}{{ $text = toYaml $text }}{{ end -}}
{{- if contains "{{" $text }}{{ tpl $text .context }}{{ else }}{{ $text }}{{ end -}}
{{- end -}}

{{- define "common.labels.standard" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

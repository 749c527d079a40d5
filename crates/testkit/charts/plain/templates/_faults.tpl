{{/* "yes" when a fault of this kind ("never", "always", "on-upgrade") is due: (dict "when" <kind> "release" .Release). */}}
{{- define "plain.due" -}}
{{- if or (eq .when "always") (and (eq .when "on-upgrade") .release.IsUpgrade) }}yes{{ end -}}
{{- end -}}

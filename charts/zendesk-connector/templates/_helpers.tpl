{{- define "zendesk-connector.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* The release's name when it says what this is, else both. */}}
{{- define "zendesk-connector.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- /*
What never changes, and tells the operator's pods from all others. Sync pods carry app.kubernetes.io/name too, and may run
in this namespace: only instance and component are the operator's alone.
*/}}
{{- define "zendesk-connector.selector" -}}
app.kubernetes.io/name: {{ include "zendesk-connector.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- /* managed-by is Helm: the operator looks for what it manages itself by that label. */}}
{{- define "zendesk-connector.labels" -}}
{{ include "zendesk-connector.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "zendesk-connector.annotations" -}}
{{- with .Values.annotations -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Labels and annotations of an object that has no others. */}}
{{- define "zendesk-connector.metadata" -}}
labels:
  {{- include "zendesk-connector.labels" . | nindent 2 }}
{{- with include "zendesk-connector.annotations" . }}
{{ . }}
{{- end }}
{{- end }}

{{- define "zendesk-connector.image" -}}
{{- with .Values.image }}
{{- if .digest }}
{{- printf "%s@%s" .repository .digest }}
{{- else }}
{{- printf "%s:%s" .repository (.tag | default $.Chart.AppVersion) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "zendesk-connector.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "zendesk-connector.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* Name of the ConfigMap with the CA bundle; empty: none. */}}
{{- define "zendesk-connector.caConfigMap" -}}
{{- if .Values.caBundle }}
{{- printf "%s-ca" (include "zendesk-connector.fullname" .) }}
{{- else }}
{{- .Values.caBundleConfigMap.name }}
{{- end }}
{{- end }}

{{- define "zendesk-connector.caKey" -}}
{{- if .Values.caBundle }}ca.crt{{ else }}{{ .Values.caBundleConfigMap.key }}{{ end }}
{{- end }}

{{- /* The file of `operator --sync-pod`. What is not set is left out: a null would be a difference to some. */}}
{{- define "zendesk-connector.syncPod" -}}
{{- $said := dict "imagePullPolicy" .Values.image.pullPolicy }}
{{- range $name, $value := .Values.sync }}
{{- if $value }}
{{- $_ := set $said $name $value }}
{{- end }}
{{- end }}
{{- toYaml $said }}
{{- end }}

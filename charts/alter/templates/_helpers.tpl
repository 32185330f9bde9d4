{{/* The name of everything: the release's, with the chart's where that does not hold it. */}}
{{- define "alter.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "alter.operator" -}}
{{ include "alter.fullname" . }}-operator
{{- end -}}

{{- define "alter.webhook" -}}
{{ include "alter.fullname" . }}-webhook
{{- end -}}

{{- define "alter.operator.serviceAccount" -}}
{{ .Values.operator.serviceAccount.name | default (include "alter.operator" .) }}
{{- end -}}

{{/* The type of a Secret cannot change, and the two keepers of certificates use different ones: each has a name of its own. */}}
{{- define "alter.certificateSecret" -}}
{{ include "alter.webhook" . }}-{{ eq .Values.certificates.mode "self" | ternary "certificate" "tls" }}
{{- end -}}

{{/* (list $ NAME): the full name of the image NAME. */}}
{{- define "alter.image" -}}
{{- $root := first . -}}
{{- $repository := required "image.repository is needed: the registry and path that hold the images alter and alter-agent, such as registry.example.com/team" $root.Values.image.repository -}}
{{ $repository }}/{{ last . }}:{{ $root.Values.image.tag | default $root.Chart.AppVersion }}
{{- end -}}

{{/* (list $ COMPONENT): what pods are selected by. */}}
{{- define "alter.selector" -}}
app.kubernetes.io/name: {{ (first .).Chart.Name }}
app.kubernetes.io/instance: {{ (first .).Release.Name }}
app.kubernetes.io/component: {{ last . }}
{{- end -}}

{{/* (list $ COMPONENT): the labels of an object. */}}
{{- define "alter.labels" -}}
{{ include "alter.selector" . }}
app.kubernetes.io/version: {{ (first .).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (first .).Release.Service }}
helm.sh/chart: {{ (first .).Chart.Name }}-{{ (first .).Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* What a pod under the `restricted` standard says; the images know no other user. */}}
{{- define "alter.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "alter.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "alter.probes" -}}
livenessProbe:
  httpGet: {path: /livez, port: health}
  periodSeconds: 10
  timeoutSeconds: 5
readinessProbe:
  httpGet: {path: /readyz, port: health}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}

{{/* (list $ COMPONENT VALUES): where and how the pods of a component run. */}}
{{- define "alter.placement" -}}
{{- $values := last . -}}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "alter.selector" (list (first $) (index $ 1)) | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with (first .).Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

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

{{- define "alter.broker" -}}
{{ include "alter.fullname" . }}-broker
{{- end -}}

{{- define "alter.broker.serviceAccount" -}}
{{ .Values.broker.serviceAccount.name | default (include "alter.broker" .) }}
{{- end -}}

{{/* The components that run. */}}
{{- define "alter.components" -}}
operator webhook{{ if .Values.broker.enabled }} broker{{ end }}
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

{{- define "alter.events" -}}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}

{{/* What the operator may do where grants are. */}}
{{- define "alter.operator.grants" -}}
- apiGroups: [alter.dev]
  resources: [awsgrants]
  verbs: [get, list, watch]
- apiGroups: [alter.dev]
  resources: [awsgrants/status]
  verbs: [patch]
# The operator watches the metadata alone, which RBAC cannot say. What it may write, the admission policy
# {{ include "alter.operator" . }}-secrets limits to sessions.
- apiGroups: [""]
  resources: [secrets]
  verbs: [list, watch, create, patch, delete]
# Who uses a grant, and who runs without an agent: the metadata of all pods, which RBAC cannot say, and the spec of
# annotated ones that Alter has not injected.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
{{- if .Values.operator.orphans.evict }}
- apiGroups: [""]
  resources: [pods/eviction]
  verbs: [create]
{{- end }}
{{- if .Values.broker.enabled }}
# The broker's CAs, for agents. An apply that creates is a create of this name.
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [alter-broker-ca]
  verbs: [list, watch, create, patch]
{{- end }}
{{ include "alter.events" . }}
{{- end -}}

{{/* What the broker may see where grants are. The pods' metadata alone, which RBAC cannot say. */}}
{{- define "alter.broker.grants" -}}
- apiGroups: [alter.dev]
  resources: [awsgrants]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
{{- end -}}

{{/* What the webhook may see where grants are. */}}
{{- define "alter.webhook.grants" -}}
- apiGroups: [alter.dev]
  resources: [awsgrants]
  verbs: [get, list, watch]
{{- end -}}

{{/* (list $ COMPONENT NAMESPACE RULES): a Role of the component in a namespace that is watched, and its binding. */}}
{{- define "alter.namespaced" -}}
{{- $root := first . -}}
{{- $component := index . 1 -}}
{{- $name := printf "%s-%s-watched" (include "alter.fullname" $root) $component -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  namespace: {{ index . 2 }}
  labels:
    {{- include "alter.labels" (list $root $component) | nindent 4 }}
rules:
  {{- index . 3 | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  namespace: {{ index . 2 }}
  labels:
    {{- include "alter.labels" (list $root $component) | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ eq $component "webhook" | ternary (include "alter.webhook" $root) (include (printf "alter.%s.serviceAccount" (eq $component "broker" | ternary "broker" "operator")) $root) }}
    namespace: {{ $root.Release.Namespace }}
{{- end -}}

{{/* Where the webhooks for what is in namespaces work. */}}
{{- define "alter.watched" -}}
{{- with .Values.watchNamespaces }}
namespaceSelector:
  matchExpressions:
    - {key: kubernetes.io/metadata.name, operator: In, values: {{ toJson . }}}
{{- end }}
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

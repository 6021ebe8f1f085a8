{{- define "awp.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "awp.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "awp.labels" -}}
{{- $own := include "awp.selectorLabels" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{- toYaml (merge $own .Values.commonLabels) -}}
{{- end -}}

{{/* Labels and annotations: those of every object, and more. Takes root, annotations, labels. */}}
{{- define "awp.metadata" -}}
labels:
  {{- merge (include "awp.labels" .root | fromYaml) (default dict .labels) | toYaml | nindent 2 }}
{{- with merge (dict) (default dict .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "awp.serviceAccount" -}}
{{- default (include "awp.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "awp.leaseName" -}}
{{- default (include "awp.fullname" .) .Values.operator.leaseName -}}
{{- end -}}

{{- define "awp.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The worker's image lies beside the operator's. */}}
{{- define "awp.workerImage" -}}
{{- $beside := printf "%s/worker:%s" (dir .Values.image.repository) (default .Chart.AppVersion .Values.image.tag) -}}
{{- default $beside .Values.samplePool.image -}}
{{- end -}}

{{/* Labels by which `operator.poolSelector` selects a pool of the chart's own: of each `key=value` and `key in (value, …)`. */}}
{{- define "awp.selectedLabels" -}}
{{- $labels := dict -}}
{{- range splitList "," .Values.operator.poolSelector -}}
{{- $part := trim . -}}
{{- if regexMatch "^[^=!()\\s]+\\s*==?\\s*[^=()\\s]*$" $part -}}
{{- $_ := set $labels (regexFind "^[^=\\s]+" $part) (regexFind "[^=\\s]*$" $part) -}}
{{- else if regexMatch "^\\S+\\s+in\\s*\\(" $part -}}
{{- $_ := set $labels (regexFind "^\\S+" $part) (regexFind "[^(\\s]+$" (trimSuffix ")" $part)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $labels -}}
{{- end -}}

{{/* Where `helm test` makes its pool: where the operator looks. */}}
{{- define "awp.testNamespace" -}}
{{- $watched := .Values.operator.watchNamespaces -}}
{{- if or (not $watched) (has .Release.Namespace $watched) -}}
{{- .Release.Namespace -}}
{{- else -}}
{{- first $watched -}}
{{- end -}}
{{- end -}}

{{/* Three quarters of the memory limit in MiB: the heap is collected before the kernel ends the process. */}}
{{- define "awp.heap" -}}
{{- $memory := toString (dig "limits" "memory" "" .Values.resources) -}}
{{- if hasSuffix "Gi" $memory -}}
{{- mulf (trimSuffix "Gi" $memory | float64) 768 | int -}}
{{- else if hasSuffix "Mi" $memory -}}
{{- mulf (trimSuffix "Mi" $memory | float64) 0.75 | int -}}
{{- else if regexMatch "^[0-9]+M$" $memory -}}
{{- mulf (trimSuffix "M" $memory | float64) 0.715 | int -}}
{{- end -}}
{{- end -}}

{{- define "awp.rules" -}}
{{- $rules := .Files.Get "files/rules.yaml" | fromYaml -}}
{{- toYaml $rules -}}
{{- end -}}

{{- define "awp.subject" -}}
- kind: ServiceAccount
  name: {{ include "awp.serviceAccount" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{/* What a schema cannot say: each fault is one sentence with what to do. */}}
{{- define "awp.validate" -}}
{{- $values := .Values -}}
{{- if semverCompare "<1.29.0-0" .Capabilities.KubeVersion.Version -}}
{{- fail (printf "this Kubernetes is %s; the oldest that works is 1.29: upgrade the cluster" .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- if and (.Capabilities.APIVersions.Has "apiregistration.k8s.io/v1") (not (.Capabilities.APIVersions.Has "agentpool.dev/v1alpha1")) -}}
{{- /* A live cluster, which says a moment late what it has: only then is the definition itself asked for. */ -}}
{{- if not (lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "agentworkerpools.agentpool.dev") -}}
{{- fail (printf "the resource AgentWorkerPool is not in this cluster: install the chart agent-worker-pool-crds in version %s first, or kubectl apply --server-side -f crds/" .Chart.Version) -}}
{{- end -}}
{{- end -}}
{{- $ours := dict "POD_NAME" "it is the pod's own" "POD_NAMESPACE" "it is the pod's own" "PORT" "it is always 8080" "NODE_OPTIONS" "set resources.limits.memory" "LOG_LEVEL" "set operator.logLevel" "LEASE_NAME" "set operator.leaseName" "LEASE_DURATION_SECONDS" "set operator.leaseDurationSeconds" "SERVICE_ACCOUNT" "set serviceAccount.name" "SECRETS_ROLE" "set fullnameOverride" "CONCURRENT_PASSES" "set operator.concurrentPasses" "KUBE_API_QPS" "set operator.kubeApi.qps" "KUBE_API_BURST" "set operator.kubeApi.burst" "WATCH_NAMESPACES" "set operator.watchNamespaces" "POOL_SELECTOR" "set operator.poolSelector" "REPLICA_HEALTH_THROUGH" "set operator.replicaHealthThrough" -}}
{{- range $values.extraEnv -}}
{{- if hasKey $ours .name -}}
{{- fail (printf "extraEnv has %s, which the chart sets: leave it out, %s" .name (get $ours .name)) -}}
{{- end -}}
{{- end -}}
{{- range $label := include "awp.selectorLabels" . | fromYaml | keys | sortAlpha -}}
{{- range $from := list "podLabels" "commonLabels" -}}
{{- if hasKey (get $values $from) $label -}}
{{- fail (printf "%s has %s, by which the chart knows its own pods: leave it out" $from $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (not $values.serviceAccount.create) (not $values.serviceAccount.name) -}}
{{- fail "serviceAccount.create is false and serviceAccount.name is empty: name the account that the operator shall run under" -}}
{{- end -}}
{{- if and $values.operator.poolSelector (not $values.operator.leaseName) (eq (include "awp.fullname" .) .Chart.Name) -}}
{{- fail "operator.poolSelector needs an operator.leaseName of its own: an operator that waits for another's Lease leaves its pools alone" -}}
{{- end -}}
{{- if and (not $values.rbac.create) $values.rbac.secretNamespaces -}}
{{- fail "rbac.secretNamespaces makes bindings and rbac.create is false: leave one of them out" -}}
{{- end -}}
{{- if and $values.operator.watchNamespaces $values.rbac.secretNamespaces -}}
{{- fail "rbac.secretNamespaces is for an operator that looks everywhere, and operator.watchNamespaces gives it the Secrets of its namespaces already: leave rbac.secretNamespaces out" -}}
{{- end -}}
{{- if .Capabilities.APIVersions.Has "apiregistration.k8s.io/v1" -}}
{{- $workers := ternary $values.networkPolicy.workers.namespaces list $values.networkPolicy.workers.enabled -}}
{{- $named := dict "operator.watchNamespaces" $values.operator.watchNamespaces "rbac.secretNamespaces" $values.rbac.secretNamespaces "networkPolicy.workers.namespaces" $workers -}}
{{- range $field, $namespaces := $named -}}
{{- range $namespaces -}}
{{- if and (ne . $.Release.Namespace) (not (lookup "v1" "Namespace" "" .)) -}}
{{- fail (printf "%s has %s, and there is no such namespace: make it first, kubectl create namespace %s" $field . .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $heap := include "awp.heap" . -}}
{{- if and $heap (lt (int $heap) 144) -}}
{{- fail (printf "resources.limits.memory is %v, in which the operator cannot run: give it 192Mi or more" $values.resources.limits.memory) -}}
{{- end -}}
{{- if and $values.networkPolicy.workers.enabled (not $values.networkPolicy.workers.namespaces) -}}
{{- fail "networkPolicy.workers.enabled needs networkPolicy.workers.namespaces: list the namespaces of your pools" -}}
{{- end -}}
{{- if and $values.samplePool.enabled $values.operator.watchNamespaces (not (has .Release.Namespace $values.operator.watchNamespaces)) -}}
{{- fail (printf "samplePool is made in namespace %s, which operator.watchNamespaces leaves out: add it there" .Release.Namespace) -}}
{{- end -}}
{{- end -}}

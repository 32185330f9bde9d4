# shellcheck shell=bash
# One cluster among several: its name, its folder in the cache, its kubeconfig.

# use_cluster NAME: sets cluster, and KUBECONFIG and PATH for the programs that a script calls.
use_cluster() {
    local directory
    cluster=$1
    [[ $cluster =~ ^[a-z][a-z0-9-]*$ ]] || die "not a cluster's name: $cluster"
    mkdir -p "$ALTER_CACHE/run/$cluster"
    export KUBECONFIG="$ALTER_CACHE/run/$cluster/kubeconfig"
    . versions.env
    for directory in "kind-$KIND_VERSION" "kubectl-$KUBERNETES_VERSION" "helm-$HELM_VERSION" \
        "etcd-$ETCD_VERSION" "kube-apiserver-$KUBERNETES_VERSION"; do
        PATH="$ALTER_CACHE/tools/$directory:$PATH"
    done
}

# healthy: whether the cluster's API server and its node say that they are ready, and Services lead somewhere:
# kernels have been seen to lose kube-proxy's rules after an hour.
healthy() {
    [[ -s $KUBECONFIG ]] &&
        kubectl get --raw /readyz --request-timeout 10s >/dev/null 2>&1 &&
        kubectl wait --for condition=Ready nodes --all --timeout 30s >/dev/null 2>&1 &&
        docker exec "$cluster-control-plane" timeout 5 bash -c \
            "exec 3<>/dev/tcp/$(kubectl get service kubernetes --output 'jsonpath={.spec.clusterIP}')/443" 2>/dev/null
}

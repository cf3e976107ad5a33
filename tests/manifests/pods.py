"""The rules of our own for manifests: what no schema says, and what an API server would tell only when pods do not come."""

PART_OF = ("app.kubernetes.io/part-of", "quickserve")
# Set for programs of others, in the same containers.
FOREIGN_VARIABLES = {"SSL_CERT_FILE"}


def labels_of(it):
    return it["metadata"].get("labels") or {}


def selects(selector, labels):
    """Whether a selector of labels takes these."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for rule in selector.get("matchExpressions") or []:
        if rule["operator"] != "In":
            raise SystemExit(f"pods.py does not know the operator {rule['operator']}")
        if labels.get(rule["key"]) not in rule["values"]:
            return False
    return True


def of_kind(objects, *kinds):
    return [it for it in objects if it["kind"] in kinds]


def containers_of(workload):
    pod = workload["spec"]["template"]["spec"]
    return [*(pod.get("initContainers") or []), *pod["containers"]]


def problems_of(objects, known_variables):
    found = []
    pods = {}
    for workload in of_kind(objects, "Deployment", "Job", "StatefulSet", "DaemonSet"):
        name = f"{workload['kind']} {workload['metadata']['name']}"
        pods[name] = workload
        found += [f"{name}: {it}" for it in restricted(workload)]
        found += [f"{name}: {it}" for it in variables(workload, objects, known_variables)]
        found += [f"{name}: {it}" for it in volumes(workload)]
        found += [f"{name}: {it}" for it in accounts(workload, objects)]
    for deployment in of_kind(objects, "Deployment"):
        name = f"Deployment {deployment['metadata']['name']}"
        found += [f"{name}: {it}" for it in company(deployment, objects)]
        found += [f"{name}: {it}" for it in probes(deployment)]
        found += [f"{name}: {it}" for it in rollout(deployment)]
    found += services(objects, pods)
    found += policies(objects, pods)
    found += routes(objects)
    return found


def restricted(workload):
    """The Pod Security level `restricted`, and what we add to it."""
    pod = workload["spec"]["template"]["spec"]
    security = pod.get("securityContext") or {}
    if not security.get("runAsNonRoot") or security.get("runAsUser") != 65532:
        yield "the pod does not run as 65532"
    if (security.get("seccompProfile") or {}).get("type") != "RuntimeDefault":
        yield "the pod has no seccomp profile"
    if pod.get("automountServiceAccountToken") is not False:
        yield "the pod gets a token of the API server"
    if pod.get("enableServiceLinks") is not False:
        yield "the pod gets variables of every service"
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(key):
            yield f"the pod has {key}"
    for container in containers_of(workload):
        own = container.get("securityContext") or {}
        if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
            yield f"{container['name']} may raise its privileges"
        if not own.get("readOnlyRootFilesystem"):
            yield f"{container['name']} may write to its image"
        if (own.get("capabilities") or {}).get("drop") != ["ALL"]:
            yield f"{container['name']} keeps capabilities"
        resources = container.get("resources") or {}
        if not {"cpu", "memory"} <= set(resources.get("requests") or {}):
            yield f"{container['name']} requests no cpu or memory"
        if "memory" not in (resources.get("limits") or {}) or "cpu" in resources["limits"]:
            yield f"{container['name']} has no limit of memory, or one of cpu"
        if container["image"].endswith(":latest") or ":" not in container["image"]:
            yield f"{container['name']} runs an image without a version"


def variables(workload, objects, known):
    maps = {it["metadata"]["name"]: it.get("data") or {} for it in of_kind(objects, "ConfigMap")}
    for container in containers_of(workload):
        names = [it["name"] for it in container.get("env") or []]
        for source in container.get("envFrom") or []:
            name = source["configMapRef"]["name"]
            if name not in maps:
                yield f"there is no ConfigMap {name}"
            names += maps.get(name, {})
        for name in names:
            if name not in known and name not in FOREIGN_VARIABLES:
                yield f"{name} configures nothing"


def volumes(workload):
    pod = workload["spec"]["template"]["spec"]
    there = {it["name"] for it in pod.get("volumes") or []}
    mounted = {it["name"] for each in containers_of(workload) for it in each.get("volumeMounts") or []}
    for name in sorted(there ^ mounted):
        yield f"the volume {name} is " + ("not mounted" if name in there else "not there")
    for container in containers_of(workload):
        for mount in container.get("volumeMounts") or []:
            if "subPath" in mount:
                yield f"{mount['name']} is mounted by subPath, which never sees a renewed secret"


def accounts(workload, objects):
    name = workload["spec"]["template"]["spec"].get("serviceAccountName")
    if name not in [it["metadata"]["name"] for it in of_kind(objects, "ServiceAccount")]:
        yield f"there is no ServiceAccount {name}"


def company(deployment, objects):
    """What every Deployment has beside it."""
    name, labels = deployment["metadata"]["name"], deployment["spec"]["template"]["metadata"]["labels"]
    if not selects(deployment["spec"]["selector"], labels):
        yield "its selector does not take its own pods"
    budgets = [it for it in of_kind(objects, "PodDisruptionBudget") if selects(it["spec"]["selector"], labels)]
    if len(budgets) != 1:
        yield f"it has {len(budgets)} disruption budgets"
    for budget in budgets:
        if ("minAvailable" in budget["spec"]) == ("maxUnavailable" in budget["spec"]):
            yield "its disruption budget has not exactly one limit"
    scalers = of_kind(objects, "HorizontalPodAutoscaler")
    scalers = [it for it in scalers if it["spec"]["scaleTargetRef"]["name"] == name]
    if len(scalers) != 1:
        yield f"it has {len(scalers)} autoscalers"
    for scaler in scalers:
        if scaler["spec"]["minReplicas"] > scaler["spec"]["maxReplicas"]:
            yield "its autoscaler wants more replicas than it allows"
    if "replicas" in deployment["spec"]:
        yield "it says how many replicas there are, against its autoscaler"
    for kind in ("Ingress", "Egress"):
        if not any(
            kind in it["spec"]["policyTypes"] and it["spec"]["podSelector"] and selects(it["spec"]["podSelector"], labels)
            for it in of_kind(objects, "NetworkPolicy")
        ):
            # The edge is reached through the component of a gateway or an ingress.
            if not (name == "edge" and kind == "Ingress" and not of_kind(objects, "Ingress", "HTTPRoute")):
                yield f"no policy lets it have {kind}"


def probes(deployment):
    for container in containers_of(deployment):
        ports = {it.get("name") for it in container.get("ports") or []}
        ports |= {it["containerPort"] for it in container.get("ports") or []}
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = container.get(kind)
            ask = probe and (probe.get("grpc") or probe.get("httpGet"))
            if not ask:
                yield f"{container['name']} has no {kind}"
            elif ask["port"] not in ports:
                yield f"{kind} asks the port {ask['port']}, which is not there"
            elif kind == "livenessProbe" and probe.get("grpc") and ask.get("service") != "liveness":
                yield "its livenessProbe asks whether it is ready, and would kill it while it drains"


def rollout(deployment):
    spec = deployment["spec"]
    update = (spec.get("strategy") or {}).get("rollingUpdate") or {}
    if update.get("maxUnavailable") != 0:
        yield "a rollout takes replicas away before others are there"
    if spec["template"]["spec"].get("terminationGracePeriodSeconds", 30) < 45:
        yield "it has less than 45 s to end"
    if not spec["template"]["spec"].get("topologySpreadConstraints"):
        yield "its replicas may all be on one node"


def services(objects, pods):
    for service in of_kind(objects, "Service"):
        name, selector = service["metadata"]["name"], {"matchLabels": service["spec"]["selector"]}
        taken = [it for it in pods.values() if selects(selector, it["spec"]["template"]["metadata"]["labels"])]
        if len(taken) != 1:
            yield f"Service {name}: it takes the pods of {len(taken)} workloads"
        for workload in taken:
            there = {it.get("name") for each in containers_of(workload) for it in each.get("ports") or []}
            for port in service["spec"]["ports"]:
                if port["targetPort"] not in there:
                    yield f"Service {name}: its pods have no port {port['targetPort']}"


def policies(objects, pods):
    """Every policy takes pods that are there, lets in pods that are there, and all are denied what none allows."""
    network = of_kind(objects, "NetworkPolicy")
    denied = [it for it in network if not it["spec"]["podSelector"] and not it["spec"].get("ingress")]
    if not any(set(it["spec"]["policyTypes"]) == {"Ingress", "Egress"} and not it["spec"].get("egress") for it in denied):
        yield "no NetworkPolicy denies what is not allowed"
    labels = [it["spec"]["template"]["metadata"]["labels"] for it in pods.values()]
    # The pod in which an operator runs commands, if there is one.
    labels.append({"app.kubernetes.io/name": "ops", PART_OF[0]: PART_OF[1]})
    for policy in network:
        name, spec = policy["metadata"]["name"], policy["spec"]
        selectors = [spec["podSelector"]]
        for rule in [*(spec.get("ingress") or []), *(spec.get("egress") or [])]:
            peers = [*(rule.get("from") or []), *(rule.get("to") or [])]
            selectors += [it["podSelector"] for it in peers if "podSelector" in it and "namespaceSelector" not in it]
        for selector in selectors:
            if not any(selects(selector, it) for it in labels):
                yield f"NetworkPolicy {name}: no pod is {selector}"


def routes(objects):
    there = {it["metadata"]["name"]: it["spec"]["ports"] for it in of_kind(objects, "Service")}
    for route in of_kind(objects, "HTTPRoute", "GRPCRoute"):
        for rule in route["spec"]["rules"]:
            for backend in rule.get("backendRefs") or []:
                if backend["port"] not in [it["port"] for it in there.get(backend["name"], [])]:
                    yield f"{route['kind']}: there is no {backend['name']}:{backend['port']}"
    for ingress in of_kind(objects, "Ingress"):
        for path in [it for rule in ingress["spec"]["rules"] for it in rule["http"]["paths"]]:
            service = path["backend"]["service"]
            if service["port"]["name"] not in [it["name"] for it in there.get(service["name"], [])]:
                yield f"Ingress: there is no {service['name']}:{service['port']['name']}"

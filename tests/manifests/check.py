"""Checks what is handed to those who run QuickServe: manifests of Kubernetes, rules and dashboards, the table of settings.

    check.py PROGRAM                the whole check; PROGRAM is a built `quickserve`
    check.py --metrics FILE...      that rules and dashboards name only metrics of these texts of /metrics

Manifests are built by kustomize, validated against the schemas of Kubernetes 1.36, and held to the rules of `pods.py`.
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import yaml

import pods
import settings

ROOT = pathlib.Path(__file__).resolve().parents[2]
OBSERVABILITY = ROOT / "deploy/observability"
TOOLS = pathlib.Path(sys.executable).parent
KUBERNETES = "1.36"
# Kinds of extensions, of which kubernetes-validate has no schemas.
EXTENSIONS = {"HTTPRoute", "GRPCRoute", "PodMonitor", "PrometheusRule", "Certificate", "Issuer"}
# They appear once events went through streams, or once a timer has run: the part `compose` sees them.
LATE_METRICS = {"events_lag", "events_oldest_age_seconds", "timers_fired"}


def fail(text):
    raise SystemExit(f"manifests: {text}")


def render(folder):
    """What `kubectl apply -k` would send."""
    command = [TOOLS / "kubectl", "kustomize", ROOT / folder]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or done.stderr.strip():
        fail(f"{folder} does not build: {done.stderr.strip()}")
    return [it for it in yaml.safe_load_all(done.stdout) if it]


def validate(folder, objects):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump_all([it for it in objects if it["kind"] not in EXTENSIONS], file)
        file.flush()
        command = [TOOLS / "kubernetes-validate", "-k", KUBERNETES, "--strict", file.name]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            fail(f"{folder}: {done.stdout}{done.stderr}")


def check_manifests():
    known = settings.variables()
    built = {}
    for folder in ["k8s/base", *sorted(f"k8s/overlays/{it.name}" for it in (ROOT / "k8s/overlays").iterdir())]:
        objects = render(folder)
        validate(folder, objects)
        problems = pods.problems_of(objects, known)
        if problems:
            fail(f"{folder}:\n  " + "\n  ".join(problems))
        built[folder] = objects
        print(f"{folder}: {len(objects)} objects")
    used = (ROOT / "k8s/overlays").rglob("kustomization.yaml")
    named = "\n".join(it.read_text() for it in used)
    for component in (ROOT / "k8s/components").iterdir():
        if f"components/{component.name}\n" not in named:
            fail(f"no overlay uses the component {component.name}, so that it is not checked")
    return built


def check_rules(built):
    """The operator's copy of the rules is theirs, and each alert is explained."""
    rules = yaml.safe_load((OBSERVABILITY / "rules.yml").read_text())
    kept = [it for it in built["k8s/overlays/production"] if it["kind"] == "PrometheusRule"]
    if not kept or kept[0]["spec"]["groups"] != rules["groups"]:
        fail("k8s/components/monitoring/rules.yaml says other than deploy/observability/rules.yml")
    explained = (ROOT / "docs/alerts.md").read_text()
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        if f"## {rule['alert']}\n" not in explained:
            fail(f"docs/alerts.md does not say what to do when {rule['alert']} fires")


def check_with_promtool():
    """Where Prometheus is installed, its own check."""
    promtool = shutil.which("promtool")
    if not promtool:
        print("promtool is not here: the syntax of the rules is not checked")
        return
    for what, file in (("rules", "rules.yml"), ("config", "prometheus.yml")):
        done = subprocess.run([promtool, "check", what, OBSERVABILITY / file], capture_output=True, text=True)
        if done.returncode:
            fail(f"{file}: {done.stdout}{done.stderr}")


def expressions():
    for group in yaml.safe_load((OBSERVABILITY / "rules.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield f"the alert {rule['alert']}", rule["expr"]
    for board in sorted((OBSERVABILITY / "grafana/dashboards").glob("*.json")):
        content = json.loads(board.read_text())
        for variable in content["templating"]["list"]:
            yield f"{board.name}, {variable['name']}", variable["query"]
        for panel in content["panels"]:
            for target in panel["targets"]:
                yield f"{board.name}, {panel['title']}", target["expr"]


def metrics_in(expression):
    """The names of metrics in an expression: words with an underscore that are no function, label or string."""
    bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)', " ", expression)
    return {it for it in re.findall(r"\b[a-z]+(?:_[a-z0-9]+)+\b", bare)} - {"histogram_quantile", "label_values"}


def check_metrics(texts, missing_for_now=frozenset()):
    known = set(missing_for_now)
    for text in texts:
        known |= set(re.findall(r"^# TYPE (\S+)", text, re.M))
    for where, expression in expressions():
        for name in metrics_in(expression):
            family = re.sub(r"_(total|bucket|count|sum)$", "", name)
            if family not in known:
                fail(f"{where} names the metric {name}, which the program does not have; it has {sorted(known)}")


def metrics_of(program):
    """What a program that runs counts, after one request."""
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "up", "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0", "--data-dir", folder]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            url = re.search(r"http://\S+", running.stdout.readline())[0]
            urllib.request.urlopen(f"{url}/openapi.json", timeout=30).read()
            for _ in range(300):
                text = urllib.request.urlopen(f"{url}/metrics", timeout=30).read().decode()
                # A request is counted once its answer has ended.
                if "# TYPE http_requests" in text:
                    return text
                time.sleep(0.1)
            fail("the program does not count the request that it has answered")
        finally:
            running.terminate()
            running.wait(60)


def main(arguments):
    if arguments[0] == "--metrics":
        check_metrics(pathlib.Path(it).read_text() for it in arguments[1:])
        return
    if (ROOT / "docs/settings.md").read_text() != settings.document():
        fail("docs/settings.md is not of these sources: python3 tests/manifests/settings.py >docs/settings.md")
    check_rules(check_manifests())
    check_with_promtool()
    check_metrics([metrics_of(arguments[0])], LATE_METRICS)
    print("manifests, rules, dashboards and the table of settings agree with the program")


if __name__ == "__main__":
    main(sys.argv[1:])

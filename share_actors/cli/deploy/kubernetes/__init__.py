"""The manifests of a system on Kubernetes, with the values of a configuration."""

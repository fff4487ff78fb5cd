"""Projects are apart: the policy, and what each caller may do in a running system."""

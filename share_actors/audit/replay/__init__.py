"""Replay: every stream folded by the present code, compared with a reference, and commands decided anew."""

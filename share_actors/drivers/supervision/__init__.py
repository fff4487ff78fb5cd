"""Daemons of drivers that outlive the process that starts them: one supervised unit for each directory.

`unit` is what drivers use. The supervisor is a program of its own: `specs`, `plan`, `supervisor`, `life`,
`processes`, `status` and `probes` import nothing that takes long, so that it starts quickly.
"""

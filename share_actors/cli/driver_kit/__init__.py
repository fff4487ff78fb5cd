"""New packages of drivers, from templates, and reports of grades."""

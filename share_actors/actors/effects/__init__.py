"""What effects mean on drivers."""

"""What a machine must know of a Ray cluster before it joins it, and what systems tell such machines."""

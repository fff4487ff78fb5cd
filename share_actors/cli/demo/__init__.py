"""`share-actors demo`: the main job on real directories."""

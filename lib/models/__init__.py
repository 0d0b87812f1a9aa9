"""Networks: PoseNet (2D to 3D joints), MeshNet (joints to mesh), their combination, the demo's camera fit."""

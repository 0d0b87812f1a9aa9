"""Pictures of meshes: shading, two ways to rasterise (NumPy, OpenGL), and pictures side by side.

``lib.render.mesh_renderer.MeshRenderer`` is the way in.
"""

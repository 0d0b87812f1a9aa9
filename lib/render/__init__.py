"""Pictures of meshes: shading, two ways to rasterise (NumPy, OpenGL), and pictures side by side.

``lib.render.views.draw_people`` draws people over their picture, ``lib.render.mesh_renderer.MeshRenderer`` any meshes.
"""

"""The demo as a page of a browser: files in, pictures, scenes to turn, films and files out.

``form`` and ``uploads`` make the demo's options of what a user chose; ``work`` does the job in a process of its own,
which ``jobs`` starts, watches and stops; ``store`` keeps files for as long as their page is open, ``sessions`` has what
belongs to one; ``views`` says in HTML what came out; ``page`` and ``server`` are all that knows gradio and FastAPI.
"""

"""ONNX files of half the size."""

from typing import Any

import numpy as np

LEAST = 1024  # numbers of a weight that is worth it


def store_in_half(model: Any, onnx: Any) -> None:
    """Keep large float32 weights of an ONNX model in float16, each widened by a Cast, which runtimes do once.

    Everything is computed in float32 as before. Weights with numbers that float16 does not hold stay as they are.

    Args:
        model: ModelProto, changed in place.
        onnx: the package.
    """
    graph, wider = model.graph, []
    for weight in graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or np.prod(weight.dims) < LEAST:
            continue
        with np.errstate(over="ignore"):
            values = onnx.numpy_helper.to_array(weight).astype(np.float16)
        if np.isfinite(values).all():
            name = weight.name
            weight.CopyFrom(onnx.numpy_helper.from_array(values, f"{name}.half"))
            wider.append(onnx.helper.make_node("Cast", [weight.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*wider, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)

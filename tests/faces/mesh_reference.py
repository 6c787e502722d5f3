"""Pictures, and what MediaPipe itself makes of them.

Run with the packages mediapipe==0.10.14 and scikit-image, to make `mesh_reference.npz` anew:
`python tests/faces/mesh_reference.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.data import astronaut

REFERENCE = Path(__file__).with_suffix(".npz")
SIDE = 192
WINDOWS = {"straight": (0, 20, 130), "turned": (1, 185, 15), "aside": (0, 60, 190), "of no face": (0, 300, 300)}
"""Quarter turns of the photograph, then top and left of the window in it."""

GRAPH = """
input_stream: "image"
output_stream: "presence"
output_stream: "refined"
node {
  calculator: "ImageToTensorCalculator" input_stream: "IMAGE:image" output_stream: "TENSORS:input"
  options { [mediapipe.ImageToTensorCalculatorOptions.ext] {
    output_tensor_width: 192 output_tensor_height: 192 output_tensor_float_range { min: 0.0 max: 1.0 } } } }
node { calculator: "TfLiteCustomOpResolverCalculator" output_side_packet: "OP_RESOLVER:operators" }
node {
  calculator: "InferenceCalculator" input_side_packet: "OP_RESOLVER:operators"
  input_stream: "TENSORS:input" output_stream: "TENSORS:output"
  options { [mediapipe.InferenceCalculatorOptions.ext] {
    model_path: "mediapipe/modules/face_landmark/face_landmark_with_attention.tflite" delegate { tflite {} } } } }
node {
  calculator: "SplitTensorVectorCalculator" input_stream: "output" output_stream: "mesh" output_stream: "flag"
  options { [mediapipe.SplitVectorCalculatorOptions.ext] {
    ranges: { begin: 0 end: 6 } ranges: { begin: 6 end: 7 } } } }
node { calculator: "TensorsToFloatsCalculator" input_stream: "TENSORS:flag" output_stream: "FLOAT:presence" }
node {
  calculator: "TensorsToFaceLandmarksWithAttention"
  input_stream: "TENSORS:mesh" output_stream: "LANDMARKS:refined" }
"""


def pictures() -> dict[str, NDArray[np.uint8]]:
    """Windows (192, 192, 3) of a photograph in the public domain, by name; no pixel is interpolated."""
    return {
        name: np.ascontiguousarray(np.rot90(astronaut(), turns)[top : top + SIDE, left : left + SIDE])
        for name, (turns, top, left) in WINDOWS.items()
    }


def main() -> None:
    import mediapipe
    from mediapipe.python import packet_creator, packet_getter
    from mediapipe.python._framework_bindings import resource_util

    resource_util.set_resource_dir(str(Path(mediapipe.__file__).parents[1]))

    kept = {}
    for name, picture in pictures().items():
        graph = mediapipe.CalculatorGraph(graph_config=GRAPH)
        seen: dict[str, object] = {}
        graph.observe_output_stream("presence", lambda _, packet, seen=seen: seen.update(presence=packet))
        graph.observe_output_stream("refined", lambda _, packet, seen=seen: seen.update(refined=packet))
        graph.start_run()
        frame = packet_creator.create_image_frame(image_format=mediapipe.ImageFormat.SRGB, data=picture)
        graph.add_packet_to_input_stream("image", frame.at(0))
        graph.close_all_packet_sources()
        graph.wait_until_done()
        points = packet_getter.get_proto(seen["refined"]).landmark
        kept[name] = np.array([(point.x, point.y, point.z) for point in points], np.float32) * np.float32(SIDE)
        kept[f"{name}: presence"] = np.float32(packet_getter.get_float(seen["presence"]))
    np.savez_compressed(REFERENCE, **kept)


if __name__ == "__main__":
    main()

"""What lies between the mesh's places and the shape model's: `python -m ganonym_train.mesh_offset DATA`.

Writes checkpoints/mesh_offset.safetensors: by how much each of the 68 points that `ganonym.faces.mesh` chooses from the
mesh is to be moved, on the average of the photographs that the shape model was fitted to, to lie where its mean shape
has it. 136 numbers, no one's face; no other landmark model is asked.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from ganonym.faces.align import apply, similarity
from ganonym.faces.blazeface import blazeface_boxes
from ganonym.faces.mesh import IBUG, find_mesh
from ganonym.faces.shape import load_shape
from ganonym.photos.decode import read_photo
from ganonym.types import Floats, Points
from ganonym.weights import accept, checkpoints_folder

SETS = ("london", "synthetic")


def mean_offset(meshes: list[Floats], mean: Points) -> Points:
    """Displacements (68, 2), in the frame of the shape `mean` (68, 2), that bring the meshes (478, 3) there on average.

    >>> mean = np.random.default_rng(1).normal(size=(68, 2))
    >>> mesh = np.zeros((478, 3))
    >>> mesh[list(IBUG), :2] = 90 * mean + [200, 100]
    >>> bool(np.allclose(mean_offset([mesh], mean), 0))
    True
    """
    chosen = [mesh[list(IBUG), :2] for mesh in meshes]
    return np.asarray(np.mean([mean - apply(similarity(points, mean), points) for points in chosen], axis=0))


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    data, mean, meshes = Path(sys.argv[1]), load_shape().mean, []
    for folder in SETS:
        for path in sorted((data / folder).glob("*.jpg")):
            rgb, _ = read_photo(data / folder, path.name)
            boxes = sorted(blazeface_boxes(rgb), key=lambda box: -box.area)
            meshes += [find_mesh(rgb, box) for box in boxes[:1]]
    offset = mean_offset([mesh.points for mesh in meshes], mean)
    path = checkpoints_folder() / "mesh_offset.safetensors"
    arrays = {"mean": mean.astype(np.float32), "offset": offset.astype(np.float32)}
    path.write_bytes(save(arrays, metadata={"kind": "mesh-offset"}))
    print(
        f"{path}: {len(meshes)} photographs, largest displacement {np.abs(offset).max():.4f}; {accept('mesh_offset')}"
    )


if __name__ == "__main__":
    main()

"""Matrix products in bfloat16, all else in float32.

The products of the frozen linear layers take most of a step's time, and their weights
most of a model's memory. A processor with bfloat16 instructions multiplies about twice
as fast in that type, but bfloat16 keeps only 8 of float32's 24 binary digits. So each
product is rounded and nothing that adds up is: norms, attention, the residual stream
and the loss stay in float32. The head stays too: logits are large, and one of 16 would
be known to 1/16 of a nat.
"""

import platform

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D


class Bfloat16Linear(nn.Module):
    """A frozen linear layer whose weights and product are bfloat16.

    Input, output and bias stay in their own type. The processor sums a product in
    float32 and rounds it once. Since the weights need no gradient, going back is one
    such product more, towards the input.

    Parameters
    ----------
    layer : nn.Linear or Conv1D
        GPT-2's Conv1D is a linear layer that keeps its weights transposed. They stay
        so, since a model's fingerprint knows the shapes of its weights.
    """

    def __init__(self, layer: nn.Linear | Conv1D):
        super().__init__()
        rounded = layer.weight.detach().to(torch.bfloat16)
        self.rounded = nn.Parameter(rounded, requires_grad=False)
        self.bias = layer.bias
        self.transposed = isinstance(layer, Conv1D)

    @property
    def weight(self) -> Tensor:
        """The weights in float32, for a model that reads them itself (Mamba)."""
        return self.rounded.float()

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., number of inputs) to (..., number of outputs)."""
        weight = self.rounded.T if self.transposed else self.rounded
        product = linear(x.to(weight.dtype), weight).to(x.dtype)
        return product if self.bias is None else product + self.bias

    def extra_repr(self) -> str:
        """Say in the model's printed form what is multiplied."""
        return f"{tuple(self.rounded.shape)}, transposed={self.transposed}"


def multiply_in_bfloat16(model: PreTrainedModel) -> None:
    """Exchange a model's linear layers, in place, for ones that use bfloat16.

    The head stays as it is, and so does every layer of another kind: embeddings, norms,
    convolutions, and experts that keep their weights in one block.
    """
    head = model.get_output_embeddings()
    embeddings = model.get_input_embeddings().weight
    made: dict[nn.Module, Bfloat16Linear] = {}
    # A layer that stands in several places (ALBERT) is exchanged in each of them.
    for name, layer in list(model.named_modules(remove_duplicate=False)):
        if type(layer) not in (nn.Linear, Conv1D):
            continue
        if layer is head or layer.weight is embeddings:
            continue
        if layer not in made:
            made[layer] = Bfloat16Linear(layer)
        model.set_submodule(name, made[layer])


def has_bfloat16_instructions(device: torch.device) -> bool:
    """Whether a device multiplies bfloat16 numbers faster than float32 ones.

    That is: AVX512-BF16 or AMX on Intel and AMD, BF16 on Arm, tensor cores from Ampere
    on for CUDA. False where nothing is known, as of Apple's GPU.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    if platform.machine().lower() in ("aarch64", "arm64"):
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()
    # x86; oneDNN's own answer above is true of any AVX512, which only imitates it.
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()

"""The processor's hint that some bytes will soon be read, for compiled loops: numba has no word for it."""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_READ, _KEEP, _DATA = 0, 3, 1  # what LLVM's `prefetch` is told: for reading, close by, no instructions


@intrinsic
def prefetch(typing_context, array, place):
    """Ask for the bytes at a place of an array; nothing waits for them, and a place outside is ignored."""

    def generate(context, builder, signature, given):
        start = context.make_array(signature.args[0])(context, builder, given[0]).data
        address = builder.bitcast(builder.gep(start, [given[1]]), ir.IntType(8).as_pointer())
        flag = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, flag, flag, flag])
        hint = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
        builder.call(hint, [address, flag(_READ), flag(_KEEP), flag(_DATA)])
        return context.get_dummy_value()

    return types.void(array, place), generate

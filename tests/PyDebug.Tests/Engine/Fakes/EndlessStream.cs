using System;
using System.IO;
using System.Threading;
using System.Threading.Tasks;

namespace PyDebug.Tests.Engine;

/// <summary>A file without an end.</summary>
internal sealed class EndlessStream : MemoryStream
{
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        => ValueTask.FromResult(buffer.Length);
}

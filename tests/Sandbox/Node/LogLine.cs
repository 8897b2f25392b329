using System;

namespace PyDebug.Sandbox.Node;

/// <summary>A piece of a container's output.</summary>
internal sealed record LogLine(DateTime Time, string Stream, byte[] Bytes);

using System.Collections.Generic;

namespace PyDebug.Sandbox.Node;

/// <summary>An image on disk: its files, and what its configuration says about the process to start.</summary>
internal sealed record Image(
    string Reference, string Id, string RootFs, IReadOnlyList<string> Entrypoint, IReadOnlyList<string> Command,
    IReadOnlyList<string> Environment, string User, string WorkingDirectory);

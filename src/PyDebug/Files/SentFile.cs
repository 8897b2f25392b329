namespace PyDebug.Commands;

/// <summary>A file of this machine that is sent.</summary>
/// <param name="Path">Its path below the folder, with slashes; empty for one that is sent alone.</param>
/// <param name="Full">Its full path.</param>
internal sealed record SentFile(string Path, string Full);

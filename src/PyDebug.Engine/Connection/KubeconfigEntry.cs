using System;
using System.IO;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>A named cluster, user or context, and the file it stands in.</summary>
internal sealed class KubeconfigEntry
{
    private const int MaxFile = 1 << 20;

    public required string Name { get; init; }

    public required JsonObject Value { get; init; }

    public required string File { get; init; }

    /// <summary>A field's text; a value of another kind than text is an error.</summary>
    public string? Text(string field)
    {
        JsonNode? node = KubeJson.At(Value, field);
        return node switch
        {
            null => null,
            JsonValue value when value.TryGetValue(out string? text) => text.Length == 0 ? null : text,
            JsonValue value when value.TryGetValue(out long number) => number.ToString(),
            _ => throw Invalid($"field '{field}' is not text"),
        };
    }

    /// <summary>A path, taken from the file's own directory where it is relative.</summary>
    public string? FilePath(string field)
        => Text(field) is string path ? Resolve(path) : null;

    public string Resolve(string path) => Path.GetFullPath(path, Folder);

    /// <summary>The folder of the file.</summary>
    public string Folder
    {
        get
        {
            string file = Path.GetFullPath(File);
            return Path.GetDirectoryName(file) ?? Path.GetPathRoot(file)!;
        }
    }

    /// <summary>The bytes of <c>field-data</c> (base64) or of the file that <c>field</c> names.</summary>
    public byte[]? Data(string field)
    {
        string? inline = Text(field + "-data");
        string? path = FilePath(field);
        try
        {
            return inline is not null
                ? Certificates.Decode(inline)
                : path is null ? null : SmallFile.Read(path, MaxFile);
        }
        catch (FormatException)
        {
            throw Invalid($"field '{field}-data' is not base64");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Invalid($"field '{field}' names '{path}', which cannot be read{SmallFile.Why(e)}");
        }
    }

    public EngineException Invalid(string what)
        => new(Causes.KubeconfigInvalid, $"Kubeconfig '{File}', entry '{Name}': {what}.");

    public EngineException Unsupported(string field)
        => new(
            Causes.KubeconfigUnsupported,
            $"Kubeconfig '{File}', entry '{Name}' uses '{field}', which PyDebug does not support.");
}

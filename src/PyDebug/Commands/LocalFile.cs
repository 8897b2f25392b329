using System;
using System.IO;
using System.Security.Cryptography;
using System.Threading;
using System.Threading.Tasks;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>
/// A file on this machine that is being received: under a temporary name until all of it is there and its hash is
/// right, readable by its owner alone.
/// </summary>
internal sealed class LocalFile : IDisposable
{
    private readonly string _path;

    private readonly string _temporary;

    private readonly bool _replace;

    private readonly PodTarget _target;

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    private readonly FileStream _stream;

    private bool _published;

    private LocalFile(string path, bool replace, PodTarget target)
    {
        _path = path;
        _replace = replace;
        _target = target;
        _temporary = Path.Join(Path.GetDirectoryName(path), $".{Guid.NewGuid():n}.pydebug");
        FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        _stream = new FileStream(_temporary, options);
    }

    /// <summary>The bytes received so far.</summary>
    public long Length { get; private set; }

    /// <summary>Starts to receive a file.</summary>
    /// <param name="path">The full path that it gets in the end.</param>
    /// <param name="replace">Whether a file of that name is replaced.</param>
    /// <param name="target">The pod that it comes from.</param>
    /// <exception cref="PyDebugException">The name is taken, or no file can be made there.</exception>
    public static LocalFile Create(string path, bool replace, PodTarget target)
    {
        if (Directory.Exists(path))
        {
            throw ErrorFactory.Local(LocalCause.DestinationInvalid, $"'{path}' is a folder.", target);
        }

        string? folder = Path.GetDirectoryName(path);
        if (!Directory.Exists(folder))
        {
            throw ErrorFactory.Local(LocalCause.DestinationInvalid, $"There is no folder '{folder}'.", target);
        }

        if (!replace && File.Exists(path))
        {
            throw Exists(path, target);
        }

        try
        {
            return new LocalFile(path, replace, target);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ErrorFactory.Local(LocalCause.DestinationInvalid, $"'{path}' cannot be written: {e.Message}", target);
        }
    }

    /// <summary>Takes the next bytes.</summary>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> chunk, CancellationToken ct)
    {
        _hash.AppendData(chunk.Span);
        try
        {
            await _stream.WriteAsync(chunk, ct).ConfigureAwait(false);
        }
        catch (IOException e)
        {
            throw ErrorFactory.Local(AgentCause.DiskFull, $"'{_path}' cannot be written: {e.Message}", _target);
        }

        Length += chunk.Length;
    }

    /// <summary>Gives the file its name, when it is what the sender says it is.</summary>
    /// <exception cref="PyDebugException">It is not, or the name was taken meanwhile.</exception>
    public void Publish(long? size, string? sha256)
    {
        string own = Convert.ToHexString(_hash.GetHashAndReset()).ToLowerInvariant();
        if (size != Length || own != sha256)
        {
            throw ErrorFactory.Local(
                AgentCause.FileChanged,
                $"Received {Length} bytes with SHA-256 {own}, but {size} bytes with {sha256} were sent.",
                _target);
        }

        try
        {
            _stream.Flush(flushToDisk: true);
            _stream.Dispose();
            File.Move(_temporary, _path, _replace);
        }
        catch (IOException) when (!_replace && File.Exists(_path))
        {
            throw Exists(_path, _target);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ErrorFactory.Local(
                LocalCause.DestinationInvalid, $"'{_path}' cannot be written: {e.Message}", _target);
        }

        _published = true;
    }

    public void Dispose()
    {
        _stream.Dispose();
        _hash.Dispose();
        if (!_published)
        {
            File.Delete(_temporary);
        }
    }

    private static PyDebugException Exists(string path, PodTarget target)
        => ErrorFactory.Local(LocalCause.DestinationExists, $"'{path}' exists.", target);
}

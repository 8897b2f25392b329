using System;
using System.IO;
using System.Security.Cryptography;
using PyDebug.Engine;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>
/// A file on this machine that is being received: under a temporary name until all of it is there and its hash is
/// right, readable by its owner alone.
/// </summary>
internal sealed class LocalFile : IDisposable
{
    private const long FlushEvery = 64L << 20;

    private readonly string _path;

    private readonly bool _replace;

    private readonly PodTarget _target;

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    private readonly PendingFile _file;

    private FileBudget _budget;

    private LocalFile(string path, bool replace, PodTarget target)
    {
        _path = path;
        _replace = replace;
        _target = target;
        _budget = FileBudget.Begin($"'{path}'", Path.GetDirectoryName(path), announced: null, most: 0, target);
        _file = PendingFile.Create(Path.GetDirectoryName(path)!, UnixFileMode.UserRead | UnixFileMode.UserWrite);
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
        Check(path, replace, target);
        try
        {
            return new LocalFile(path, replace, target);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ErrorFactory.Local(LocalCause.DestinationInvalid, $"'{path}' cannot be written: {e.Message}", target);
        }
    }

    /// <summary>Makes sure that a file may get that name.</summary>
    /// <exception cref="PyDebugException">The name is taken, or there is no folder for it.</exception>
    public static void Check(string path, bool replace, PodTarget target)
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
    }

    /// <summary>The SHA-256 of what came so far, in lower case.</summary>
    public string Hash() => Convert.ToHexString(_hash.GetCurrentHash()).ToLowerInvariant();

    /// <summary>Says how much will come. Nothing is taken before.</summary>
    /// <param name="size">The size that the sender names.</param>
    /// <param name="most">The most bytes that are taken.</param>
    /// <exception cref="PyDebugException">It is too much, or there is no room for it.</exception>
    public void Expect(long? size, long most)
        => _budget = FileBudget.Begin($"'{_path}'", Path.GetDirectoryName(_path), size, most, _target);

    /// <summary>Takes the next bytes.</summary>
    /// <exception cref="PyDebugException">There are more than were announced, or they cannot be written.</exception>
    public void Write(ReadOnlySpan<byte> chunk)
    {
        _budget.Add(chunk.Length);
        _hash.AppendData(chunk);
        try
        {
            // It goes to the system's memory, sooner than another thread could be asked to.
            _file.Stream.Write(chunk);
        }
        catch (IOException e)
        {
            throw ErrorFactory.Local(AgentCause.DiskFull, $"'{_path}' cannot be written: {e.Message}", _target);
        }

        Length += chunk.Length;
        if (Length / FlushEvery != (Length - chunk.Length) / FlushEvery)
        {
            _file.FlushBehind();
        }
    }

    /// <summary>Gives the file its name, when it is what the sender says it is.</summary>
    /// <exception cref="PyDebugException">It is not, or the name was taken meanwhile.</exception>
    /// <param name="size">The bytes that were sent.</param>
    /// <param name="sha256">Their SHA-256.</param>
    /// <param name="modified">When the file was written to last, where it is to have that time.</param>
    public void Publish(long? size, string? sha256, DateTime? modified = null)
    {
        string own = Hash();
        if (size != Length || own != sha256)
        {
            throw ErrorFactory.Local(
                AgentCause.FileChanged,
                $"Received {Length} bytes with SHA-256 {own}, but {size} bytes with {sha256} were sent.",
                _target);
        }

        try
        {
            _file.Publish(_path, _replace, modified);
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
    }

    public void Dispose()
    {
        _hash.Dispose();
        _file.Dispose();
    }

    private static PyDebugException Exists(string path, PodTarget target)
        => ErrorFactory.Local(LocalCause.DestinationExists, $"'{path}' exists.", target);
}

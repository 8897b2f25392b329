using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Text;
using PyDebug.Errors;

namespace PyDebug.Commands;

/// <summary>The regular files below a folder of this machine, by name, and what is beside them.</summary>
internal sealed class LocalTree
{
    private readonly List<SentFile> _files = [];

    private readonly List<(string Path, string Why)> _left = [];

    private readonly WildcardPattern[] _exclude;

    private LocalTree(IEnumerable<string> exclude)
        => _exclude = [.. exclude.Select(e => WildcardPattern.Get(e, WildcardOptions.IgnoreCase))];

    /// <summary>The files, each folder's in the order of their names.</summary>
    public IReadOnlyList<SentFile> Files => _files;

    /// <summary>What is left out, and why.</summary>
    public IReadOnlyList<(string Path, string Why)> Left => _left;

    /// <summary>The bytes of all files.</summary>
    public long Size { get; private set; }

    /// <summary>A single file.</summary>
    public static LocalTree Of(string file)
    {
        LocalTree tree = new([]);
        tree.Add("", new FileInfo(file));
        return tree;
    }

    /// <summary>Looks through a folder. No link is followed.</summary>
    /// <param name="folder">Its full path.</param>
    /// <param name="exclude">Names of files and folders that do not count.</param>
    /// <exception cref="PyDebugException">It cannot be read, or has too many files.</exception>
    public static LocalTree Below(string folder, IEnumerable<string> exclude)
    {
        LocalTree tree = new(exclude);
        try
        {
            tree.Enter(new DirectoryInfo(folder), "");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ErrorFactory.Local(LocalCause.SourceInvalid, $"'{folder}' cannot be read: {e.Message}");
        }

        return tree;
    }

    private void Enter(DirectoryInfo folder, string above)
    {
        foreach (FileSystemInfo item in folder.EnumerateFileSystemInfos()
            .Where(i => !_exclude.Any(e => e.IsMatch(i.Name)))
            .OrderBy(i => i.Name, StringComparer.Ordinal))
        {
            string path = above + item.Name;
            if (item.LinkTarget is not null || item.Attributes.HasFlag(FileAttributes.ReparsePoint))
            {
                _left.Add((path, "link"));
            }
            else if (!IsText(item.Name))
            {
                _left.Add((path, "its name is no text"));
            }
            else if (item is DirectoryInfo inner)
            {
                try
                {
                    Enter(inner, path + "/");
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    _left.Add((path, "denied"));
                }
            }
            else
            {
                Add(path, (FileInfo)item);
            }

            if (_files.Count > PodFileReceiver.MostFiles || _left.Count > PodFileReceiver.MostFiles)
            {
                throw ErrorFactory.Local(
                    LocalCause.LimitExceeded,
                    $"The folder has more than {PodFileReceiver.MostFiles} files.",
                    detail: new Dictionary<string, string> { ["what"] = "files" });
            }
        }
    }

    private void Add(string path, FileInfo file)
    {
        _files.Add(new SentFile(path, file.FullName));
        Size += file.Length;
    }

    private static bool IsText(string name)
    {
        try
        {
            _ = new UTF8Encoding(false, throwOnInvalidBytes: true).GetByteCount(name);
            return !name.Contains('\uFFFD', StringComparison.Ordinal);
        }
        catch (EncoderFallbackException)
        {
            return false;
        }
    }
}

using System;
using System.IO;
using PyDebug.Commands;
using PyDebug.Tests.Engine;
using Xunit;

namespace PyDebug.Tests.Module;

public sealed class PendingFileTests : IDisposable
{
    private readonly TempDirectory _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Nothing_of_it_is_there_before_it_is_whole()
    {
        string path = Path.Combine(_folder.Path, "x");
        using PendingFile file = PendingFile.Create(_folder.Path, mode: null);
        file.Stream.Write("whole"u8);
        file.Stream.Flush();
        Assert.SkipUnless(file.IsNameless, "This file system has no files without a name.");
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));

        file.Publish(path, replace: false);

        Assert.Equal("whole", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(_folder.Path));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_file_that_is_there_is_replaced_or_stays(bool replace)
    {
        string path = Path.Combine(_folder.Path, "x");
        File.WriteAllText(path, "old");
        using (PendingFile file = PendingFile.Create(_folder.Path, mode: null))
        {
            file.Stream.Write("new"u8);
            if (replace)
            {
                file.Publish(path, replace);
            }
            else
            {
                Assert.Throws<IOException>(() => file.Publish(path, replace));
            }
        }

        Assert.Equal(replace ? "new" : "old", File.ReadAllText(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void What_is_written_while_the_disk_is_at_it_comes_behind_it()
    {
        string path = Path.Combine(_folder.Path, "x");
        byte[] some = new byte[1 << 20];
        Random.Shared.NextBytes(some);
        using (PendingFile file = PendingFile.Create(_folder.Path, mode: null))
        {
            for (int i = 0; i < 8; i++)
            {
                file.Stream.Write(some);
                file.FlushBehind();
            }

            file.Publish(path, replace: false);
        }

        byte[] all = File.ReadAllBytes(path);
        Assert.Equal(8 * some.Length, all.Length);
        for (int i = 0; i < 8; i++)
        {
            Assert.True(some.AsSpan().SequenceEqual(all.AsSpan(i * some.Length, some.Length)));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_let_go_of_leaves_nothing(bool flushing)
    {
        using (PendingFile file = PendingFile.Create(_folder.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite))
        {
            file.Stream.Write(new byte[1000]);
            if (flushing)
            {
                file.FlushBehind();
            }
        }

        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Its_owner_alone_may_read_it_where_that_is_asked_for()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        string path = Path.Combine(_folder.Path, "x");
        using PendingFile file = PendingFile.Create(_folder.Path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        file.Publish(path, replace: true);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
    }

    [Fact]
    public void A_folder_that_is_not_there_is_an_error_of_the_system()
        => Assert.ThrowsAny<IOException>(() => PendingFile.Create(Path.Combine(_folder.Path, "absent"), mode: null));
}

using System;
using System.IO;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace PyDebug;

/// <summary>What tells one build of an assembly from every other.</summary>
internal static class AssemblyIdentity
{
    /// <summary>An assembly's identity, which compiling it ahead of time keeps; null where it cannot be read.</summary>
    public static Guid? Read(string path)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            using PEReader image = new(file);
            MetadataReader metadata = image.GetMetadataReader();
            return metadata.GetGuid(metadata.GetModuleDefinition().Mvid);
        }
        catch (Exception e) when (e is IOException or BadImageFormatException or UnauthorizedAccessException
            or InvalidOperationException)
        {
            return null;
        }
    }
}
